import { once } from 'node:events'
import { createServer } from 'node:net'

/**
 * Ports of the loopback interface that are free now, each another one, and stay free while their server is
 * away: none of those that the system gives to clients, which might even meet themselves there.
 */
export async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>()
  while (ports.size < count) {
    const port = 15_000 + Math.floor(Math.random() * 17_000)
    const server = createServer()
    try {
      await once(server.listen(port, '127.0.0.1'), 'listening')
      ports.add(port)
      await once(server.close(), 'close')
    } catch {
      // Somebody has it; another one will do.
    }
  }
  return [...ports]
}
