import { createHash, randomBytes } from 'node:crypto'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { Context, rootContext } from '@micro/core/context'
import { MicroError } from '@micro/core/errors'
import { expect, test } from 'vitest'
import { dial, say, serve } from './support/serve.ts'

const scale = Number(process.env['MICRO_SCALE'] ?? '0.02')
const total = Math.ceil(100_000 * scale)
const width = 64

const noise = randomBytes(8 << 20)
/** Sizes from 0 to 4 MB; most messages are short. */
const sizeOf = (at: number): number => {
  const random = createHash('sha1').update(`size ${at}`).digest().readUInt32BE() / 2 ** 32
  return Math.floor(4_000_000 * random ** 12)
}

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** Bytes that are alive: what sockets read into is counted only where something still holds it. */
const alive = (): number => {
  collect()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}

test(`${total} calls over one connection, many cancelled or late: each gets its own reply`, async () => {
  let under = 0
  const { url } = await serve(
    {},
    {
      async unary(_head, body, context) {
        under += 1
        try {
          // Some answer at once, some later, some when their caller has gone.
          if (body.length % 3 === 0) await new Promise((resolve) => setImmediate(resolve))
          if (body.length % 7 === 0)
            await Promise.race([
              new Promise((resolve) => setTimeout(resolve, 2)),
              new Promise((_resolve, reject) => context.onCancel(reject)),
            ])
          return { body }
        } finally {
          under -= 1
        }
      },
    },
  )
  const connection = dial(url)
  let made = 0
  const ends = { replied: 0, cancelled: 0, late: 0 }
  const loop = async (): Promise<void> => {
    while (made < total) {
      made += 1
      const at = made
      const start = (at * 7_919) % noise.length
      const body = noise.subarray(start, Math.min(noise.length, start + sizeOf(at)))
      const context = new Context(rootContext, at % 10 === 0 ? { timeout: at % 5 } : {})
      if (at % 10 === 5) setImmediate(() => context.cancel('enough'))
      try {
        const reply = await say(connection, body, context)
        if (Buffer.compare(reply.body, body) !== 0)
          throw new Error(`call ${at} got another's reply`)
        ends.replied += 1
      } catch (error) {
        if (error === 'enough') ends.cancelled += 1
        else if (MicroError.is(error, 'deadline_exceeded')) ends.late += 1
        else throw error
      }
    }
  }
  const run = async (): Promise<void> => {
    made = 0
    await Promise.all(Array.from({ length: width }, loop))
  }
  await run()
  const before = alive()
  await run()
  await expect.poll(() => under).toBe(0)
  expect(ends.replied + ends.cancelled + ends.late).toBe(2 * total)
  expect(ends.replied).toBeGreaterThan(total)
  expect(ends.cancelled).toBeGreaterThan(0)
  // Nothing of those calls is left.
  await expect.poll(() => alive() - before, { timeout: 10_000 }).toBeLessThan(4 << 20)
})
