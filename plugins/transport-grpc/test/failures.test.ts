import { MicroError } from '@micro/core/errors'
import { expect, test } from 'vitest'
import { answer, answerOf, frame, rawCall, rawClient, rawServer } from './support/raw-peer.ts'
import { dial, failure, say, serve } from './support/serve.ts'

test('a foreign error leaves the server without its text', async () => {
  const { url } = await serve(
    {},
    {
      unary: () => {
        throw new Error('the password is swordfish')
      },
    },
  )
  const stream = rawCall(await rawClient(url))
  stream.end(frame('x'))
  const answered = await answerOf(stream)
  expect(answered['grpc-status']).toBe('13')
  expect(JSON.stringify(answered)).not.toContain('swordfish')
})

test('details are a google.rpc.Status, byte for byte', async () => {
  const { url } = await serve(
    {},
    {
      unary: () => {
        throw new MicroError('aborted', 'why', {
          details: [{ type: 'a.B', value: Uint8Array.of(1, 2, 255) }],
        })
      },
    },
  )
  const stream = rawCall(await rawClient(url))
  stream.end(frame('x'))
  const { 'grpc-status-details-bin': details } = await answerOf(stream)
  const type = 'type.googleapis.com/a.B'
  const any = [0x0a, type.length, ...Buffer.from(type), 0x12, 3, 1, 2, 255]
  const status = [0x08, 10, 0x12, 3, ...Buffer.from('why'), 0x1a, any.length, ...any]
  expect([...Buffer.from(String(details), 'base64')]).toEqual(status)
})

test.each([
  ['bytes that are no Status', Buffer.from([0xff, 0xff]).toString('base64')],
  ['a detail without a type', Buffer.from([0x1a, 2, 0x12, 0]).toString('base64')],
  ['a length beyond the end', Buffer.from([0x1a, 200, 1]).toString('base64')],
])('details of %s are none, and the failure stays', async (_what, details) => {
  const { url } = await rawServer((stream) =>
    answer(stream, undefined, { 'grpc-status': '5', 'grpc-status-details-bin': details }),
  )
  expect(await failure(say(dial(url)))).toMatchObject({ code: 'not_found', details: [] })
})

test.each([
  ['grpc-retry-pushback-ms', '1500', 1_500],
  ['grpc-retry-pushback-ms', '-1', undefined],
  // A google.rpc.RetryInfo of 2.5 s, written out.
  [
    'grpc-status-details-bin',
    Buffer.concat([
      Buffer.from([0x1a, 55, 0x0a, 40]),
      Buffer.from('type.googleapis.com/google.rpc.RetryInfo'),
      Buffer.from([0x12, 11, 0x0a, 9, 0x08, 2, 0x10, 0x80, 0xca, 0xb5, 0xee, 0x01, 0]).subarray(
        0,
        10,
      ),
    ]).toString('base64'),
    undefined,
  ],
])('the time to wait is read from %s: %s', async (name, value, retryAfter) => {
  const { url } = await rawServer((stream) =>
    answer(stream, undefined, { 'grpc-status': '14', [name]: value }),
  )
  expect(await failure(say(dial(url)))).toMatchObject({ code: 'unavailable', retryAfter })
})

test.each([
  ['100%25 %C3%BC%0A', '100% ü\n'],
  ['not %zz encoded', 'not %zz encoded'],
  ['cut %E2', 'cut \ufffd'],
])('a message "%s" is "%s"', async (encoded, detail) => {
  const { url } = await rawServer((stream) =>
    answer(stream, undefined, { 'grpc-status': '9', 'grpc-message': encoded }),
  )
  expect(await failure(say(dial(url)))).toMatchObject({ detail })
})

test('a failure whose metadata is no trailer is told all the same', async () => {
  const { url } = await serve(
    {},
    {
      unary: () => {
        throw new MicroError('aborted', 'why', { metadata: { connection: 'x' } })
      },
    },
  )
  expect(await failure(say(dial(url)))).toMatchObject({ code: 'aborted', detail: 'why' })
})
