import { defineService, serverStream, unary } from '@micro/core'
import { accountOf } from '@micro/core/auth'
import { expect, test } from 'vitest'
import { makeTrustedFleet, wires } from '../src/trusted-fleet.ts'

/** Of two minutes, with certificates that live ten seconds. */
const scale = Number(process.env['MICRO_SCALE'] ?? '0.04')
// A third of it is left for the renewal, also where the machine is busy with other tests.
const ttl = scale >= 1 ? 10_000 : 3_000
const duration = Math.max(120_000 * scale, 2.5 * ttl)

const Echo = defineService('echo', {
  say: unary<number, string>({ access: { scopes: ['service:client'] } }),
  count: serverStream<number, number>({ access: { scopes: ['service:client'] } }),
})

test.each(Object.keys(wires))(
  'certificates are renewed under load over %s, and no call fails',
  async (wire) => {
    await using fleet = makeTrustedFleet({ ttl })
    const open = wires[wire] as (typeof wires)[string]
    const ids = { server: await fleet.identity('server'), client: await fleet.identity('client') }
    const server = fleet.make('server', open(ids.server.tls), {
      identity: ids.server,
      zeroTrust: true,
    })
    const client = fleet.make('client', open(ids.client.tls), {
      identity: ids.client,
      zeroTrust: true,
    })
    const callers = new Set<string | undefined>()
    server.handle(Echo, {
      say(n, context) {
        callers.add(context.peer.certificate?.fingerprint)
        return `${accountOf(context)?.id} ${n}`
      },
      async *count(to) {
        for (let n = 0; n < to; n++) {
          yield n
          await new Promise((resolve) => setTimeout(resolve, 20))
        }
      },
    })
    await server.start()
    await client.start()
    const echo = client.client(Echo)
    const end = performance.now() + duration
    let calls = 0
    const failures: unknown[] = []
    const call = async (): Promise<void> => {
      while (performance.now() < end) {
        calls += 1
        const n = calls
        try {
          expect(await echo.say(n, { retries: 0 })).toBe(`client ${n}`)
        } catch (error) {
          failures.push(error)
        }
      }
    }
    /** Longer than a certificate lives. */
    const stream = async (): Promise<void> => {
      let read = 0
      const length = Math.ceil((1.5 * ttl) / 20)
      try {
        for await (const n of echo.count(length)) expect(n).toBe(read++)
        expect(read).toBe(length)
      } catch (error) {
        failures.push(error)
      }
    }
    await Promise.all([...Array.from({ length: 8 }, call), stream()])
    expect(failures).toEqual([])
    expect(calls).toBeGreaterThan(100)
    // The certificate at the beginning, and those of the renewals.
    expect(callers.size).toBeGreaterThanOrEqual(Math.floor(duration / ttl))
  },
  duration + 20_000,
)
