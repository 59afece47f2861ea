import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { closing, type Pair, startPair } from './support/echo.ts'

interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly body: { readonly code?: string; readonly message?: string }
}

const ask = async (url: string, path: string, init: RequestInit = {}): Promise<Answer> => {
  const response = await fetch(url + path, { method: 'POST', ...init })
  const text = await response.text()
  return {
    status: response.status,
    headers: response.headers,
    body: text.startsWith('{') ? JSON.parse(text) : {},
  }
}
const json = { 'content-type': 'application/json' }
const stillServes = async ({ echo }: Pair): Promise<void> => {
  expect(await echo.say({ text: 'alive' })).toEqual({ text: 'alive' })
}

describe('bad requests get the right status, code and a message that names what was wrong', () => {
  test.each([
    [
      'an unknown method',
      '/echo/nothing',
      { headers: json, body: '{}' },
      404,
      'unimplemented',
      '/echo/nothing',
    ],
    [
      'an unknown service',
      '/nobody/say',
      { headers: json, body: '{}' },
      404,
      'unimplemented',
      '/nobody/say',
    ],
    ['the root', '/', { headers: json, body: '{}' }, 404, 'unimplemented', '/<service>/<method>'],
    [
      'a content-type without codec',
      '/echo/say',
      { headers: { 'content-type': 'application/xml' }, body: '<a/>' },
      415,
      'unimplemented',
      'application/xml',
    ],
    [
      'no content-type',
      '/echo/say',
      { headers: { 'content-type': '' }, body: '{}' },
      415,
      'unimplemented',
      'content-type ""',
    ],
    [
      'a unary type for a stream',
      '/echo/count',
      { headers: json, body: '{}' },
      415,
      'unimplemented',
      'application/connect+json',
    ],
    ['the wrong HTTP method', '/echo/say', { method: 'DELETE' }, 405, 'unimplemented', 'GET, POST'],
    [
      'GET of a method with side effects',
      '/echo/fail?encoding=json&message=%22x%22',
      { method: 'GET' },
      405,
      'unimplemented',
      'POST',
    ],
    [
      'GET without a message',
      '/echo/say?encoding=json',
      { method: 'GET' },
      400,
      'invalid_argument',
      'message',
    ],
    [
      'GET of an unknown encoding',
      '/echo/say?encoding=xml&message=x',
      { method: 'GET' },
      501,
      'unimplemented',
      'encoding',
    ],
    [
      'malformed JSON',
      '/echo/say',
      { headers: json, body: '{"text"' },
      400,
      'invalid_argument',
      'malformed JSON',
    ],
    [
      'a polluting key',
      '/echo/say',
      { headers: json, body: '{"__proto__":{"x":1}}' },
      400,
      'invalid_argument',
      '__proto__',
    ],
    [
      'invalid UTF-8',
      '/echo/say',
      { headers: json, body: Uint8Array.of(0x22, 0xff, 0x22) },
      400,
      'invalid_argument',
      'UTF-8',
    ],
    [
      'a negative timeout',
      '/echo/say',
      { headers: { ...json, 'connect-timeout-ms': '-1' }, body: '{}' },
      400,
      'invalid_argument',
      'connect-timeout-ms',
    ],
    [
      'an absurd timeout',
      '/echo/say',
      { headers: { ...json, 'connect-timeout-ms': '99999999999' }, body: '{}' },
      400,
      'invalid_argument',
      'connect-timeout-ms',
    ],
    [
      'a timeout that is no number',
      '/echo/say',
      { headers: { ...json, 'connect-timeout-ms': 'soon' }, body: '{}' },
      400,
      'invalid_argument',
      '"soon"',
    ],
    [
      'an unknown content-encoding',
      '/echo/say',
      { headers: { ...json, 'content-encoding': 'br' }, body: 'x' },
      501,
      'unimplemented',
      '"br"',
    ],
    [
      'garbage as gzip',
      '/echo/say',
      { headers: { ...json, 'content-encoding': 'gzip' }, body: 'x' },
      400,
      'invalid_argument',
      'gzip',
    ],
    [
      'a gzip bomb',
      '/echo/say',
      { headers: { ...json, 'content-encoding': 'gzip' }, body: gzipSync(Buffer.alloc(1_000_000)) },
      429,
      'resource_exhausted',
      'maxMessageSize',
    ],
    [
      'a body above the limit',
      '/echo/say',
      { headers: json, body: 'x'.repeat(200_000) },
      429,
      'resource_exhausted',
      'maxMessageSize of 100000',
    ],
  ] as const)('%s', async (_what, path, init, status, code, named) => {
    const pair = await startPair({ maxMessageSize: 100_000 })
    const answer = await ask(pair.url, path, init as RequestInit)
    expect(answer).toMatchObject({
      status,
      body: { code, message: expect.stringContaining(named) },
    })
    await stillServes(pair)
  })

  test('an answer of 415 lists what is served, one of 405 what is allowed', async () => {
    const { url } = await startPair()
    const unsupported = await ask(url, '/echo/say', {
      headers: { 'content-type': 'a/b' },
      body: '',
    })
    expect(unsupported.headers.get('accept-post')).toContain('application/json')
    const method = await ask(url, '/echo/fail', { method: 'PUT' })
    expect(method.headers.get('allow')).toBe('POST')
  })

  test('headers above the limit', async () => {
    const pair = await startPair({ maxHeaderSize: 2_048 })
    expect(
      (
        await ask(pair.url, '/echo/say', {
          headers: { ...json, 'x-big': 'x'.repeat(4_000) },
          body: '{}',
        })
      ).status,
    ).toBe(431)
    await stillServes(pair)
  })

  test('header values that metadata cannot hold are left out', async () => {
    const { url } = await startPair()
    const answer = await fetch(`${url}/echo/say`, {
      method: 'POST',
      headers: { ...json, 'x-tenant': 'na\u00efve' },
      body: '{"text":"x"}',
    })
    expect(await answer.json()).toEqual({ text: 'x' })
  })

  test('a bidirectional stream over HTTP/1.1', async () => {
    const { url } = await startPair()
    const answer = await ask(url, '/echo/chat', {
      headers: { 'content-type': 'application/connect+json' },
      body: '',
    })
    expect(answer).toMatchObject({
      status: 505,
      body: { message: expect.stringContaining('HTTP/2') },
    })
  })
})

describe('sockets that misbehave cost only their own connection', () => {
  const open = async (
    pair: Pair,
  ): Promise<{ socket: Socket; closed: Promise<unknown>; text: () => string }> => {
    const { hostname, port } = new URL(pair.url)
    const socket = connect(Number(port), hostname)
    closing({ [Symbol.asyncDispose]: async () => void socket.destroy() })
    let received = ''
    socket.on('data', (chunk) => {
      received += chunk.toString('latin1')
    })
    socket.on('error', () => undefined)
    const closed = once(socket, 'close')
    await once(socket, 'connect')
    return { socket, closed, text: () => received }
  }
  const impatient = { headersTimeout: 200, requestTimeout: 400 }

  test('one that says nothing is closed', async () => {
    const pair = await startPair(impatient)
    const { closed } = await open(pair)
    await closed
    await stillServes(pair)
  })

  test('half of the headers', async () => {
    const pair = await startPair(impatient)
    const { socket, closed, text } = await open(pair)
    socket.write('POST /echo/say HTTP/1.1\r\nhost: x\r\n')
    await closed
    expect(text()).toContain('408')
    await stillServes(pair)
  })

  test('half of the body', async () => {
    const pair = await startPair(impatient)
    const { socket, closed } = await open(pair)
    socket.write(
      'POST /echo/say HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{"te',
    )
    await closed
    await stillServes(pair)
  })

  test('half of the HTTP/2 preface', async () => {
    const pair = await startPair(impatient)
    const { socket, closed } = await open(pair)
    socket.write('PRI * HTTP/2.0\r\n')
    await closed
    await stillServes(pair)
  })

  test('garbage', async () => {
    const pair = await startPair()
    const { socket, closed } = await open(pair)
    socket.write(Buffer.from([0, 1, 2, 3, 255, 254, 13, 10, 13, 10]))
    await closed
    await stillServes(pair)
  })

  test('garbage after the HTTP/2 preface', async () => {
    const pair = await startPair()
    const { socket, closed } = await open(pair)
    socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
    socket.write(Buffer.alloc(64, 0xff))
    await closed
    await stillServes(pair)
  })

  test('a body that breaks off reaches the handler of nobody', async () => {
    const pair = await startPair()
    const { socket, closed } = await open(pair)
    socket.write(
      'POST /echo/say HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{"te',
    )
    socket.destroy()
    await closed
    await stillServes(pair)
    expect(pair.server.health().status).toBe('up')
  })

  test('the preface may come byte by byte', async () => {
    const pair = await startPair()
    const { socket, text } = await open(pair)
    socket.setNoDelay(true)
    for (const byte of Buffer.from('GET /livez HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n')) {
      await new Promise((resolve) => socket.write(Buffer.of(byte), resolve))
    }
    await once(socket, 'close')
    expect(text()).toContain('200')
  })

  test('connections above the limit are closed, the others served', async () => {
    const pair = await startPair({ maxConnections: 3 })
    const all = await Promise.all([open(pair), open(pair), open(pair)])
    const refused = await open(pair)
    await refused.closed
    for (const { socket } of all) socket.destroy()
    await Promise.all(all.map(({ closed }) => closed))
    await stillServes(pair)
  })
})

describe('streams of garbage', () => {
  const envelope = (flags: number, data: Uint8Array, size = data.length): Buffer => {
    const head = Buffer.alloc(5)
    head[0] = flags
    head.writeUInt32BE(size, 1)
    return Buffer.concat([head, data])
  }
  const end = async (url: string, body: Uint8Array): Promise<{ code: string; message: string }> => {
    const response = await fetch(`${url}/echo/sum`, {
      method: 'POST',
      headers: { 'content-type': 'application/connect+json' },
      body: body as Uint8Array<ArrayBuffer>,
    })
    const bytes = Buffer.from(await response.arrayBuffer())
    if (response.status !== 200) return JSON.parse(bytes.toString())
    // The last envelope tells the end.
    let at = 0
    for (;;) {
      const size = bytes.readUInt32BE(at + 1)
      if (bytes[at] === 2)
        return (JSON.parse(bytes.toString('utf8', at + 5, at + 5 + size)) as { error: never }).error
      at += 5 + size
    }
  }
  const one = new TextEncoder().encode('1')

  test.each([
    ['a message cut off', envelope(0, one, 10), 'invalid_argument', 'in the middle'],
    ['a header cut off', Buffer.of(0, 0, 0), 'invalid_argument', 'in the middle'],
    [
      'a message above the limit',
      envelope(0, one, 2 ** 31),
      'resource_exhausted',
      'maxMessageSize',
    ],
    [
      'a message that is no JSON',
      envelope(0, new TextEncoder().encode('{')),
      'invalid_argument',
      'malformed JSON',
    ],
    [
      'compression that was not announced',
      envelope(1, gzipSync(one)),
      'invalid_argument',
      'connect-content-encoding',
    ],
  ])('%s', async (_what, body, code, named) => {
    const pair = await startPair({ maxMessageSize: 100_000 })
    expect(await end(pair.url, body)).toMatchObject({
      code,
      message: expect.stringContaining(named),
    })
    await stillServes(pair)
  })
})
