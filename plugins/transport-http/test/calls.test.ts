import { MicroError } from '@micro/core'
import type { HttpTransportOptions } from '@micro/plugin-transport-http'
import { describe, expect, test } from 'vitest'
import { collect, startPair } from './support/echo.ts'

const variants: HttpTransportOptions[] = [
  {},
  { protocol: 'http2' },
  { compressFrom: 0 },
  { useGet: true },
  { compressFrom: 0, protocol: 'http2' },
]

describe.each(variants)('with options %o', (options) => {
  test('unary, with metadata both ways', async () => {
    const { echo } = await startPair(options)
    const seen: (string | undefined)[] = []
    const answer = await echo.say(
      { text: 'hi ' },
      {
        metadata: { 'x-tenant': 'acme' },
        onHeaders: (headers) => seen.push(headers.get('x-answer')),
        onTrailers: (trailers) => seen.push(trailers.get('x-end')),
      },
    )
    expect(answer).toEqual({ text: 'hi acme' })
    expect(seen).toEqual(['h', 't'])
  })

  test('streams of all three kinds', async () => {
    const { echo } = await startPair(options)
    expect(await collect(echo.count({ to: 100 }))).toHaveLength(100)
    expect(await echo.sum([1, 2, 3])).toBe(6)
    expect(await collect(echo.chat(['a', 'b']))).toEqual(['a!', 'b!'])
  })

  test('errors with details', async () => {
    const { echo } = await startPair(options)
    await expect(echo.fail('cancelled')).rejects.toMatchObject({
      code: 'cancelled',
      detail: 'why',
      processed: 'yes',
      details: [{ type: 'a.B', value: Uint8Array.of(1, 2) }],
    })
    await expect(echo.fail('data_loss')).rejects.toMatchObject({ code: 'data_loss' })
  })

  test('a deadline ends the call, and reaches the handler', async () => {
    const { echo, cancelled } = await startPair(options)
    await expect(echo.hang(undefined, { timeout: 50 })).rejects.toMatchObject({
      code: 'deadline_exceeded',
    })
    expect(await cancelled).toBeInstanceOf(MicroError)
  })

  test("the caller's signal rejects with its reason, and reaches the handler", async () => {
    const started = Promise.withResolvers<void>()
    const ended = Promise.withResolvers<unknown>()
    const { echo } = await startPair(options, {
      hang: (_input, context) => {
        started.resolve()
        return new Promise((_resolve, reject) => {
          context.onCancel((reason) => {
            ended.resolve(reason)
            reject(reason)
          })
        })
      },
    })
    const controller = new AbortController()
    const call = echo.hang(undefined, { signal: controller.signal, timeout: 20_000 })
    await started.promise
    controller.abort('mine')
    expect(await call.catch((error: unknown) => error)).toBe('mine')
    expect(await ended.promise).toMatchObject({ code: 'cancelled' })
  })
})

test('messages above the limit are refused on either side, by name', async () => {
  const { echo } = await startPair({ maxMessageSize: 10_000 })
  await expect(echo.say({ text: 'x'.repeat(20_000) })).rejects.toMatchObject({
    code: 'resource_exhausted',
    detail: expect.stringContaining('request exceeds maxMessageSize of 10000'),
  })
  const grown = await startPair(
    { maxMessageSize: 10_000 },
    { say: () => ({ text: 'x'.repeat(20_000) }) },
  )
  await expect(grown.echo.say({ text: '' })).rejects.toMatchObject({
    code: 'resource_exhausted',
    detail: expect.stringContaining('response exceeds maxMessageSize'),
  })
  await expect(collect(echo.count({ to: 3, size: 20_000 }))).rejects.toMatchObject({
    code: 'resource_exhausted',
  })
  await expect(echo.sum(['x'.repeat(20_000) as never])).rejects.toMatchObject({
    code: 'resource_exhausted',
  })
  // Compressed, it would fit.
  const gzip = await startPair({ maxMessageSize: 10_000, compressFrom: 0 })
  await expect(gzip.echo.say({ text: 'x'.repeat(20_000) })).rejects.toMatchObject({
    code: 'resource_exhausted',
  })
  expect(await echo.say({ text: 'still here' })).toEqual({ text: 'still here' })
})

test('a node that nothing listens at is told by address, as not processed', async () => {
  const { echo, server } = await startPair()
  await echo.say({ text: 'dial' })
  await server.stop()
  await expect(echo.say({ text: 'x' })).rejects.toMatchObject({
    code: 'unavailable',
    processed: 'no',
  })
})

test.each([
  [{ port: 70_000 }, 'port'],
  [{ port: 1.5 }, 'port'],
  [{ maxMessageSize: 0 }, 'maxMessageSize'],
  [{ protocol: 'http3' }, 'protocol'],
  [{ advertise: 'nowhere' }, 'advertise'],
  [{ compressFrom: -1 }, 'compressFrom'],
  [{ prot: 8080 }, 'prot'],
])('refuses the options %o', async (options, name) => {
  await expect(startPair(options as HttpTransportOptions)).rejects.toMatchObject({
    code: 'invalid_argument',
    detail: expect.stringContaining(`option ${name}:`),
  })
})

test('a port that is taken fails the start with the address and the fix', async () => {
  const { url } = await startPair()
  const port = Number(new URL(url).port)
  await expect(startPair({ port })).rejects.toMatchObject({
    code: 'already_exists',
    detail: expect.stringContaining(`127.0.0.1:${port} is in use`),
  })
})
