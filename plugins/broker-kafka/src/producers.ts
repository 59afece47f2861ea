import { CompressionTypes, type Producer, type RecordMetadata, type TopicMessages } from 'kafkajs'
import { type Client, createClient } from './client.ts'
import type { Settings } from './options.ts'

/** The producer of now. Several topics send by it at once, each partition one request at a time. */
export interface Producers {
  send(producer: Borrowed, batch: TopicMessages): Promise<readonly RecordMetadata[]>
  /** To be given back. */
  borrow(): Borrowed
  giveBack(borrowed: Borrowed): void
  /**
   * Sends nothing more by this one. After a batch that was given up, kafkajs goes on with the numbers
   * of that batch; if Kafka did have it, it would take the next batch for the same, and drop it.
   */
  retire(borrowed: Borrowed): void
  close(): Promise<void>
}

export interface Borrowed {
  users: number
  retired: boolean
  readonly opened: Promise<{ readonly client: Client; readonly producer: Producer }>
}

export function createProducers(settings: Settings): Producers {
  const compression =
    settings.compression === 'gzip' ? CompressionTypes.GZIP : CompressionTypes.None
  const acks = settings.acks === 'all' ? -1 : 1
  let current: Borrowed | undefined
  const ending = new Set<Promise<void>>()

  const open = async (): Promise<{ client: Client; producer: Producer }> => {
    const client = createClient(settings)
    const producer = client.kafka.producer({
      allowAutoTopicCreation: false,
      idempotent: settings.idempotence,
      metadataMaxAge: 60_000,
      retry: { retries: 2, initialRetryTime: 50, maxRetryTime: 500 },
      // The partition was chosen once and for all, so that a message is not sent twice to two of them.
      createPartitioner:
        () =>
        ({ message }) =>
          message.partition ?? 0,
    })
    try {
      await producer.connect()
      return { client, producer }
    } catch (error) {
      client.destroy()
      throw error
    }
  }
  const end = (borrowed: Borrowed): void => {
    const ended = borrowed.opened
      .then(async ({ client, producer }) => {
        await producer.disconnect().catch(() => undefined)
        client.destroy()
      })
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
    async send({ opened }, batch) {
      const { producer } = await opened
      return producer.sendBatch({
        acks,
        compression,
        timeout: settings.requestTimeout,
        topicMessages: [batch],
      })
    },
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
