import type { CallReceiver, Peer } from '@micro/core/transport'
import { headersTooLarge } from '../errors.ts'
import type { PeerLimits } from '../wire/link.ts'
import { encodeMetadata } from '../wire/metadata-block.ts'
import type { ServerCall } from './server-call.ts'
import type { TcpServerStream } from './server-stream.ts'

interface Ending {
  readonly limits: PeerLimits
  /** With the encoded trailers. */
  readonly end: (trailers: Buffer) => void
  readonly fail: (error: unknown) => void
}

/** Runs the handler of a stream, and ends the stream as the handler ended, after all that it wrote. */
export function serveStream(
  stream: TcpServerStream,
  call: ServerCall,
  receiver: CallReceiver,
  peer: Peer,
  { limits, end, fail }: Ending,
): void {
  const serve = async (): Promise<void> => {
    try {
      const trailers = await receiver.stream(call.head, stream, call.context, peer)
      const encoded = encodeMetadata(trailers)
      if (encoded.length > limits.maxHeaderSize) {
        throw headersTooLarge(limits.maxHeaderSize).with({ processed: 'yes' })
      }
      stream.end(() => end(Buffer.from(encoded, 'latin1')))
    } catch (error) {
      stream.end(() => fail(error))
    }
  }
  // It handles every failure itself.
  void serve()
}
