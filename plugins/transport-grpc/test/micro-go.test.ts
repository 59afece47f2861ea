import { MicroError } from '@micro/core/errors'
import type { ReceivedMethod } from '@micro/core/transport'
import { describe, expect, test } from 'vitest'
import { answer, answerOf, frame, rawCall, rawClient, rawServer } from './support/raw-peer.ts'
import { dial, failure, say, serve } from './support/serve.ts'

const dialect = 'micro-go'

describe('as Micro for Go', () => {
  test('a failure is JSON in the status message, with the number of HTTP', async () => {
    const { url } = await serve(
      { dialect },
      {
        unary: () => {
          throw new MicroError('not_found', 'no such thing', { processed: 'yes' })
        },
      },
    )
    const stream = rawCall(await rawClient(url))
    stream.end(frame('x'))
    const answered = await answerOf(stream)
    expect(answered['grpc-status']).toBe('5')
    expect(JSON.parse(String(answered['grpc-message']))).toEqual({
      id: 'micro',
      detail: 'no such thing',
      status: 'Not Found',
      code: 404,
    })
  })

  test.each([
    ['5', { id: 'go', detail: 'gone', status: 'Not Found', code: 404 }, 'not_found', 'gone'],
    // A number that has no code of gRPC's comes as `unknown`.
    [
      '2',
      { id: 'go', detail: 'slow down', status: '', code: 429 },
      'resource_exhausted',
      'slow down',
    ],
    ['2', { id: 'go', detail: 'teapot', status: '', code: 418 }, 'unknown', 'teapot'],
  ])('status %s with %o is read', async (status, json, code, detail) => {
    const { url } = await rawServer((stream) =>
      answer(stream, undefined, { 'grpc-status': status, 'grpc-message': JSON.stringify(json) }),
    )
    expect(await failure(say(dial(url, { dialect })))).toMatchObject({ code, detail })
    // Without the option it is text like any other.
    const plain = await failure(say(dial(url)))
    expect(plain).toMatchObject({ detail: JSON.stringify(json) })
  })

  test.each(['{', '{"detail":1}', 'plain text', ''])('a message "%s" stays text', async (text) => {
    const { url } = await rawServer((stream) =>
      answer(stream, undefined, { 'grpc-status': '9', 'grpc-message': text }),
    )
    expect(await failure(say(dial(url, { dialect })))).toMatchObject({
      code: 'failed_precondition',
      detail: text,
    })
  })

  test('of a service’s name the last dotted part counts, and only there', async () => {
    const greeter: ReceivedMethod = {
      service: 'acme.v1.Greeter',
      name: 'Hello',
      kind: 'unary',
      idempotency: 'unknown',
      contentTypes: ['application/json'],
    }
    const receiver = {
      find: (service: string, name: string) =>
        service === greeter.service && name === greeter.name ? greeter : undefined,
      methods: () => [greeter],
    }
    const statusOf = async (url: string, path: string) => {
      const stream = rawCall(await rawClient(url), path)
      stream.end(frame('x'))
      return (await answerOf(stream))['grpc-status']
    }
    const lenient = await serve({ dialect }, receiver)
    const strict = await serve({}, receiver)
    for (const path of ['/acme.v1.Greeter/Hello', '/Greeter/Hello', '/any.other.Greeter/Hello']) {
      expect(await statusOf(lenient.url, path)).toBe('0')
    }
    expect(await statusOf(lenient.url, '/any.Greeter/Missing')).toBe('12')
    expect(await statusOf(lenient.url, '/GreeterX/Hello')).toBe('12')
    expect(await statusOf(strict.url, '/acme.v1.Greeter/Hello')).toBe('0')
    expect(await statusOf(strict.url, '/any.other.Greeter/Hello')).toBe('12')
  })
})
