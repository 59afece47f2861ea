import { MicroError } from '@micro/core/errors'
import { Metadata } from '@micro/core/metadata'
import {
  createMessageQueue,
  type ReceivedMethod,
  type ServerStream,
  writeWithRoom,
} from '@micro/core/transport'
import { compress, decompress, requireEncoding } from '../compression.ts'
import {
  compressedFlag,
  createEnvelopeParser,
  type Envelope,
  endFlag,
  writeEnvelope,
} from '../envelope.ts'
import { errorToJson, tooLarge } from '../errors.ts'
import { toStreamType } from '../headers.ts'
import { openContext, peerOf, toCallHead } from './call-scope.ts'
import type { Incoming } from './incoming.ts'
import { acceptsGzip } from './request.ts'
import { addHeaders, type FlatHeaders, sendError, toMicroError, writeHead } from './respond.ts'

/** Messages read ahead of the handler. */
const capacity = 16

/** Serves one stream. Never rejects: what fails is told at the stream's end. */
export async function serveStream(
  incoming: Incoming,
  method: ReceivedMethod,
  contentType: string,
): Promise<void> {
  const { receiver, request, response, head, headers } = incoming
  let stream: OpenStream | undefined
  try {
    const gzipped = requireEncoding(head.streamEncoding, 'connect-content-encoding')
    const context = openContext(response, head.timeout)
    try {
      stream = openStream(incoming, contentType, gzipped)
      context.onCancel(stream.fail)
      const trailers = await receiver.stream(
        toCallHead(method, head, contentType),
        stream,
        context,
        peerOf(request),
      )
      stream.finish(undefined, trailers)
    } finally {
      context.finish()
    }
  } catch (error) {
    const failure = toMicroError(error)
    // Before the headers have gone, a stream that was refused can still say so with a status.
    if (stream === undefined || (!response.headersSent && failure.processed === 'no'))
      sendError(response, failure, headers)
    else stream.finish(failure, undefined)
  } finally {
    stream?.fail(new MicroError('cancelled', 'the stream has ended'))
    if (!request.complete) request.resume()
  }
}

interface OpenStream extends ServerStream {
  fail(error: unknown): void
  finish(error: MicroError | undefined, trailers: Metadata | undefined): void
}

function openStream(incoming: Incoming, contentType: string, gzipped: boolean): OpenStream {
  const { settings, request, response, head } = incoming
  const { maxMessageSize, compressFrom } = settings
  const compressing = compressFrom !== false && acceptsGzip(head.streamAcceptEncoding)
  const messages = createMessageQueue<Envelope>({ capacity, onRoom: () => request.resume() })
  const parser = createEnvelopeParser(maxMessageSize, 'request')
  let lastActivity = performance.now()
  let reading = true

  const fail = (error: unknown): void => {
    reading = false
    messages.fail(error)
    request.resume()
  }
  request.on('data', (chunk: Buffer) => {
    lastActivity = performance.now()
    if (!reading) return
    try {
      for (const envelope of parser.push(chunk)) {
        if (messages.push(envelope) !== undefined) request.pause()
      }
    } catch (error) {
      fail(error)
    }
  })
  request.on('end', () => {
    if (!reading) return
    try {
      parser.end()
      messages.end()
    } catch (error) {
      fail(error)
    }
  })
  const broken = (cause?: unknown): void =>
    fail(new MicroError('cancelled', 'the client went away in the middle of its stream', { cause }))
  request.on('error', broken)
  request.on('aborted', broken)

  const open = (headers?: Metadata): void => {
    if (response.headersSent || response.destroyed) return
    const all: FlatHeaders = [...incoming.headers, 'content-type', toStreamType(contentType)]
    if (compressing) all.push('connect-content-encoding', 'gzip')
    addHeaders(all, headers)
    writeHead(response, 200, all)
    // HTTP/2 sends them by itself.
    if ('flushHeaders' in response) response.flushHeaders()
  }
  const gone = (): MicroError => new MicroError('cancelled', 'the client has gone')
  // HTTP/2's response does not say that it was destroyed; its stream does.
  const sink = 'stream' in response ? response.stream : response
  const writeRaw = (envelope: Buffer): Promise<void> | undefined =>
    writeWithRoom(sink, envelope, gone)

  const stream: OpenStream = {
    get lastActivity() {
      return lastActivity
    },
    open,
    fail,
    write(message) {
      if (message.length > maxMessageSize) throw tooLarge(maxMessageSize, 'response')
      open()
      lastActivity = performance.now()
      if (!compressing || message.length < (compressFrom as number))
        return writeRaw(writeEnvelope(0, message))
      return compress(message).then((data) => writeRaw(writeEnvelope(compressedFlag, data)))
    },
    async next() {
      const step = await messages.next()
      if (step.done === true) return step
      const { flags, data } = step.value
      if ((flags & compressedFlag) === 0) return { done: false, value: data }
      if (!gzipped) {
        throw new MicroError(
          'invalid_argument',
          'a compressed message, but no connect-content-encoding header',
        )
      }
      return { done: false, value: await decompress(data, maxMessageSize, 'request') }
    },
    async return() {
      fail(new MicroError('cancelled', 'the server reads no further messages'))
      return { done: true, value: undefined }
    },
    [Symbol.asyncIterator]: () => stream,
    finish(error, trailers) {
      if (response.destroyed || response.writableEnded) return
      open()
      const metadata = new Metadata(trailers)
      for (const [name, value] of error?.metadata ?? []) metadata.append(name, value)
      const end = {
        ...(error === undefined ? {} : { error: errorToJson(error) }),
        ...(metadata.size === 0
          ? {}
          : {
              metadata: Object.fromEntries(
                [...metadata.keys()].map((name) => [name, metadata.getAll(name)]),
              ),
            }),
      }
      const last = writeEnvelope(endFlag, Buffer.from(JSON.stringify(end)))
      ;(response as { end(chunk: Buffer): unknown }).end(last)
    },
  }
  return stream
}
