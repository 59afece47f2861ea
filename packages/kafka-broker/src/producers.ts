import type { KafkaProducer } from './client.ts'

/** The producer of now. Several topics send by it at once, each partition one request at a time. */
export interface Producers {
  /** To be given back. */
  borrow(): Borrowed
  giveBack(borrowed: Borrowed): void
  /**
   * Sends nothing more by this one. After a batch that was given up, the next would have its numbers;
   * if Kafka did have that batch, it would take the next for the same, and drop it.
   */
  retire(borrowed: Borrowed): void
  close(): Promise<void>
}

export interface Borrowed {
  users: number
  retired: boolean
  readonly opened: Promise<KafkaProducer>
}

export function createProducers(open: () => Promise<KafkaProducer>): Producers {
  let current: Borrowed | undefined
  const ending = new Set<Promise<void>>()

  const end = (borrowed: Borrowed): void => {
    const ended = borrowed.opened
      .then((producer) => producer.close())
      // It never was there.
      .catch(() => undefined)
      .finally(() => ending.delete(ended))
    ending.add(ended)
  }
  const retire = (borrowed: Borrowed): void => {
    if (current === borrowed) current = undefined
    if (borrowed.retired) return
    borrowed.retired = true
    if (borrowed.users === 0) end(borrowed)
  }

  return {
    borrow() {
      if (current === undefined) {
        const opened = open()
        // Who sends by it hears of it.
        opened.catch(() => undefined)
        current = { users: 0, retired: false, opened }
      }
      current.users += 1
      return current
    },
    giveBack(borrowed) {
      borrowed.users -= 1
      if (borrowed.users === 0 && borrowed.retired) end(borrowed)
    },
    retire,
    async close() {
      if (current !== undefined) retire(current)
      await Promise.all(ending)
    },
  }
}
