/** What is written to: a request or response of either version of HTTP. */
interface Sink {
  readonly destroyed: boolean
  write(chunk: Buffer): boolean
  on(event: 'drain' | 'close', listener: () => void): unknown
  off(event: 'drain' | 'close', listener: () => void): unknown
}

/**
 * Writes, and waits if there is no room for more: at once `undefined` where there is.
 *
 * @throws what `gone` makes, if the sink has been destroyed.
 */
export function writeWithRoom(
  sink: Sink,
  chunk: Buffer,
  gone: () => Error,
): Promise<void> | undefined {
  if (sink.destroyed) throw gone()
  if (sink.write(chunk)) return undefined
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
