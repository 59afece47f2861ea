import type { Socket } from 'node:net'

type Send = (id: number, message: unknown) => void

/** What one would write by hand: length, id and JSON, the frames of a tick in one write. */
export function createFramedSocket(socket: Socket, onMessage: Send): Send {
  let rest: Buffer = Buffer.alloc(0)
  let batch: Buffer[] = []
  socket.setNoDelay(true)
  socket.on('error', () => socket.destroy())
  socket.on('data', (chunk: Buffer) => {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    let at = 0
    while (bytes.length - at >= 8) {
      const end = at + 8 + bytes.readUInt32BE(at)
      if (end > bytes.length) break
      onMessage(bytes.readUInt32BE(at + 4), JSON.parse(bytes.toString('utf8', at + 8, end)))
      at = end
    }
    rest = bytes.subarray(at)
  })
  const flush = (): void => {
    const frames = batch
    batch = []
    socket.write(Buffer.concat(frames))
  }
  return (id, message) => {
    const text = JSON.stringify(message)
    const length = Buffer.byteLength(text)
    const frame = Buffer.allocUnsafe(8 + length)
    frame.writeUInt32BE(length)
    frame.writeUInt32BE(id, 4)
    frame.write(text, 8)
    if (batch.push(frame) === 1) process.nextTick(flush)
  }
}
