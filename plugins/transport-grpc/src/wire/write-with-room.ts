import type { Http2Stream } from 'node:http2'

/**
 * Writes, and waits if there is no room for more: at once `undefined` where there is.
 *
 * @throws what `gone` makes, if the stream is over.
 */
export function writeWithRoom(
  stream: Http2Stream,
  chunk: Buffer,
  gone: () => unknown,
): Promise<void> | undefined {
  if (stream.destroyed || stream.writableEnded) throw gone()
  if (stream.write(chunk)) return undefined
  return new Promise<void>((resolve, reject) => {
    const settle = (): void => {
      stream.off('drain', settle)
      stream.off('close', settle)
      if (stream.destroyed) reject(gone())
      else resolve()
    }
    stream.on('drain', settle)
    stream.on('close', settle)
  })
}
