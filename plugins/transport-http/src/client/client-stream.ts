import type { Context } from '@micro/core/context'
import { MicroError } from '@micro/core/errors'
import { Metadata } from '@micro/core/metadata'
import {
  type CallHead,
  type ClientStream,
  createMessageQueue,
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
import { errorFromJson, tooLarge } from '../errors.ts'
import { essence, toStreamType } from '../headers.ts'
import type { Settings } from '../options.ts'
import type { Exchange, ExchangeHead } from './exchange.ts'
import { readReply, splitMetadata, text } from './read-reply.ts'

/** Messages read ahead of the caller. */
const capacity = 16

/** Connect's stream over any exchange. */
export function createClientStream(
  head: CallHead,
  context: Context,
  settings: Settings,
  open: () => Promise<Exchange> | Exchange,
  lastPing: () => number,
): ClientStream {
  const { maxMessageSize, compressFrom } = settings
  const opened = Promise.withResolvers<Metadata>()
  // A stream that fails while nobody asked for its headers is told by its iteration.
  opened.promise.catch(() => undefined)
  let exchange: Exchange | undefined
  let body: ExchangeHead['body'] | undefined
  let gzipped = false
  let ended = false
  let lastActivity = performance.now()
  let trailers = new Metadata()
  let removeListener: (() => void) | undefined
  const incoming = createMessageQueue<Envelope>({ capacity, onRoom: () => body?.resume() })

  const fail = (error: unknown): void => {
    if (ended) return
    ended = true
    removeListener?.()
    opened.reject(error)
    incoming.fail(error)
    exchange?.abort()
  }
  /** What has arrived is still read, then the error if there is one. */
  const finish = (error: MicroError | undefined): void => {
    if (ended) return
    ended = true
    removeListener?.()
    incoming.end(error)
    // What the caller still sends has no one to read it.
    exchange?.request.destroy()
    body?.resume()
  }
  const onEnvelope = (envelope: Envelope): void => {
    if ((envelope.flags & endFlag) === 0) {
      if (incoming.push(envelope) !== undefined) body?.pause()
      return
    }
    const { error, metadata } = readEnd(envelope.data)
    trailers = metadata
    finish(error)
  }
  const read = (response: ExchangeHead, translate: Exchange['translate']): void => {
    const parser = createEnvelopeParser(maxMessageSize, 'response')
    body = response.body
    body.on('data', (chunk: Buffer) => {
      lastActivity = performance.now()
      try {
        for (const envelope of parser.push(chunk)) if (!ended) onEnvelope(envelope)
      } catch (error) {
        fail(error)
      }
    })
    body.on('end', () => fail(translate(new Error('ended before the end of the stream was told'))))
    body.on('error', (error) => fail(translate(error)))
    body.on('close', () => fail(translate(new Error('closed in the middle of a stream'))))
  }
  const start = async (): Promise<Exchange> => {
    context.requireTime()
    const made = await open()
    exchange = made
    made.request.on('error', (error) => fail(made.translate(error)))
    if (ended) made.abort()
    return made
  }
  const receive = async (started: Promise<Exchange>): Promise<void> => {
    try {
      const made = await started
      const response = await made.response
      const contentType = essence(text(response.headers['content-type']))
      if (response.status !== 200) {
        await readReply(
          head,
          response.status,
          response.headers,
          await whole(response, maxMessageSize),
          maxMessageSize,
        )
      }
      if (contentType !== toStreamType(head.contentType)) {
        throw new MicroError(
          'internal',
          `the answer has content-type "${contentType}", not ${toStreamType(head.contentType)}`,
          {
            processed: 'yes',
          },
        )
      }
      gzipped = requireEncoding(
        text(response.headers['connect-content-encoding']),
        'connect-content-encoding',
      )
      opened.resolve(splitMetadata(response.headers).headers ?? new Metadata())
      lastActivity = performance.now()
      read(response, made.translate)
    } catch (error) {
      fail(error)
    }
  }

  const started = start()
  // Called at once if the context is cancelled already.
  removeListener = context.onCancel(fail)
  // `receive` handles every failure itself.
  void receive(started)

  const stream: ClientStream = {
    headers: opened.promise,
    get trailers() {
      return trailers
    },
    get lastActivity() {
      return Math.max(lastActivity, lastPing())
    },
    async write(message) {
      const made = await started
      if (message.length > maxMessageSize) {
        const error = tooLarge(maxMessageSize, 'request')
        fail(error)
        throw error
      }
      const gzip = compressFrom !== false && message.length >= compressFrom
      const data = gzip ? await compress(message) : message
      const gone = (): MicroError => made.translate(new Error('the stream has ended'))
      await writeWithRoom(made.request, writeEnvelope(gzip ? compressedFlag : 0, data), gone)
      lastActivity = performance.now()
    },
    async end() {
      const made = await started
      made.request.end()
    },
    async next() {
      const step = await incoming.next()
      if (step.done === true) return step
      const { flags, data } = step.value
      if ((flags & compressedFlag) === 0) return { done: false, value: data }
      if (!gzipped)
        throw new MicroError(
          'internal',
          'a compressed message, but no connect-content-encoding header',
        )
      return { done: false, value: await decompress(data, maxMessageSize, 'response') }
    },
    async return() {
      fail(new MicroError('cancelled', 'the caller has ended the stream'))
      return { done: true, value: undefined }
    },
    [Symbol.asyncIterator]: () => stream,
  }
  return stream
}

/** The JSON that ends every stream. */
function readEnd(data: Buffer): { error: MicroError | undefined; metadata: Metadata } {
  let json: { error?: unknown; metadata?: unknown }
  try {
    json = JSON.parse(data.toString()) as typeof json
  } catch (cause) {
    throw new MicroError('internal', 'the end of the stream is not JSON', {
      cause,
      processed: 'yes',
    })
  }
  const metadata = new Metadata()
  for (const [name, values] of Object.entries(json.metadata ?? {})) {
    for (const value of Array.isArray(values) ? values : [])
      if (typeof value === 'string') metadata.append(name, value)
  }
  const error =
    json.error === undefined
      ? undefined
      : errorFromJson(json.error, 'unknown', { metadata, processed: 'yes' })
  return { error, metadata }
}

async function whole({ body }: ExchangeHead, limit: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of body) {
    size += (chunk as Buffer).length
    if (size > limit) throw tooLarge(limit, 'response')
    chunks.push(chunk as Buffer)
  }
  return Buffer.concat(chunks)
}
