/** What is written to: a stream of Node, or a request or response of either version of HTTP. */
interface Sink {
  readonly destroyed: boolean
  /** A writer has said that it is the last. */
  readonly writableEnded?: boolean
  /** Bytes that are held because the peer has not taken them. */
  readonly writableLength: number
  write(chunk: Buffer): boolean
  on(event: 'drain' | 'close', listener: () => void): unknown
  off(event: 'drain' | 'close', listener: () => void): unknown
}

/** Bytes that are held before a writer waits: more than an HTTP/2 window, so that none is left unused. */
const roomyUpTo = 128 * 1024

/**
 * Writes, and waits if there is no room for more: at once `undefined` where there is.
 *
 * @throws what `gone` makes, if the sink has been destroyed or ended.
 */
export function writeWithRoom(
  sink: Sink,
  chunk: Buffer,
  gone: () => unknown,
): Promise<void> | undefined {
  if (sink.destroyed || sink.writableEnded === true) throw gone()
  if (sink.write(chunk) || sink.writableLength <= roomyUpTo) return undefined
  return new Promise<void>((resolve, reject) => {
    const settle = (): void => {
      sink.off('drain', settle)
      sink.off('close', settle)
      if (sink.destroyed) reject(gone())
      else resolve()
    }
    sink.on('drain', settle)
    sink.on('close', settle)
  })
}
