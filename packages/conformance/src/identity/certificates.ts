import type { Identity, TlsMaterial } from '@micro/core/identity'
import { expect } from 'vitest'
import type { Trait } from '../kit/trait.ts'

const supported = (identity: Identity): boolean => identity.supports.tls

function codeOf(look: () => unknown): unknown {
  try {
    look()
    return undefined
  } catch (error) {
    return (error as { code?: unknown }).code
  }
}

export const certificates: Trait<Identity> = {
  name: 'certificates',
  cases: [
    {
      name: 'has material once connected, and says so before',
      supported,
      absent: async (harness) => {
        expect((await harness.open()).tls).toBeUndefined()
      },
      run: async (harness) => {
        const identity = await harness.open()
        expect(codeOf(() => identity.tls?.current())).toBe('failed_precondition')
        await identity.connect()
        const material = identity.tls?.current()
        expect(material?.cert).toContain('-----BEGIN CERTIFICATE-----')
        expect(material?.key).toContain('-----BEGIN')
        expect(material?.key).toContain('PRIVATE KEY-----')
        expect(material?.ca).toContain('-----BEGIN CERTIFICATE-----')
      },
    },
    {
      name: 'renews it by itself, and tells every watcher',
      supported,
      run: async (harness) => {
        const identity = await harness.open()
        await identity.connect()
        const { tls } = identity
        const first = tls?.current()
        const seen = await Promise.all([read(tls?.watch(), 2), read(tls?.watch(), 2)])
        expect(seen[0]).toEqual(seen[1])
        const [second, third] = seen[0] ?? []
        expect(second?.cert).not.toBe(first?.cert)
        expect(third?.cert).not.toBe(second?.cert)
        expect(tls?.current()).toEqual(third)
      },
    },
    {
      name: 'ends its watches when it is closed, and has nothing then',
      supported,
      run: async (harness) => {
        const identity = await harness.open()
        await identity.connect()
        const reading = read(identity.tls?.watch(), Number.POSITIVE_INFINITY)
        await identity.close()
        expect(Array.isArray(await reading)).toBe(true)
        expect(codeOf(() => identity.tls?.current())).toBe('failed_precondition')
        expect(await read(identity.tls?.watch(), 1)).toEqual([])
      },
    },
  ],
}

/** The next so many, or all there are until it ends. */
async function read(
  watch: AsyncIterable<TlsMaterial> | undefined,
  count: number,
): Promise<TlsMaterial[]> {
  const seen: TlsMaterial[] = []
  for await (const material of watch ?? []) {
    seen.push(material)
    if (seen.length >= count) break
  }
  return seen
}
