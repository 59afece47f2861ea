import { Writable } from 'node:stream'
import { writeWithRoom } from '@micro/core/transport'
import { expect, test } from 'vitest'

const gone = (): Error => new Error('gone')
const chunk = Buffer.alloc(32 * 1024)

/** Takes nothing until it is told to. */
function slowSink() {
  const waiting: (() => void)[] = []
  const sink = new Writable({
    write(_chunk, _encoding, done) {
      waiting.push(done)
    },
  })
  sink.on('error', () => undefined)
  const takeAll = (): void => {
    for (let done = waiting.shift(); done !== undefined; done = waiting.shift()) done()
  }
  return { sink, takeAll }
}

test('writers wait above 128 KiB, until the peer has taken all', async () => {
  const { sink, takeAll } = slowSink()
  for (let n = 0; n < 4; n++) expect(writeWithRoom(sink, chunk, gone)).toBeUndefined()
  const waiting = writeWithRoom(sink, chunk, gone)
  expect(waiting).toBeInstanceOf(Promise)
  let isOver = false
  const over = waiting?.then(() => {
    isOver = true
  })
  await new Promise((resolve) => setImmediate(resolve))
  expect(isOver).toBe(false)
  while (sink.writableLength > 0) {
    takeAll()
    await new Promise((resolve) => setImmediate(resolve))
  }
  await over
  expect(sink.listenerCount('drain') + sink.listenerCount('close')).toBe(0)
})

test('a writer that waits is told when the sink goes, and one that comes later at once', async () => {
  const { sink } = slowSink()
  for (let n = 0; n < 4; n++) void writeWithRoom(sink, chunk, gone)
  const waiting = writeWithRoom(sink, chunk, gone)
  sink.destroy()
  await expect(waiting).rejects.toThrow('gone')
  expect(() => writeWithRoom(sink, chunk, gone)).toThrow('gone')
  const { sink: ended } = slowSink()
  ended.end()
  expect(() => writeWithRoom(ended, chunk, gone)).toThrow('gone')
})
