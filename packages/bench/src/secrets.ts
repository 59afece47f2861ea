import { createHmac } from 'node:crypto'
import { memoryStore } from '@micro/core/store'
import { createAuthority } from '@micro/plugin-identity-x509'

const rounds = 40_000
/** Above it, statisticians of side channels speak of a leak. */
const threshold = 4.5

/**
 * Whether the time of a refusal tells how much of a proof was right: Welch's t between proofs that are
 * wrong in their first character and ones that are wrong in their last, in random order.
 */
export async function benchSecrets(): Promise<void> {
  const store = memoryStore()
  const authority = createAuthority({
    store,
    trustDomain: 'bench.example',
    secret: 'a secret of the bench',
  })
  const token = await authority.mintToken({ service: 'orders' })
  const [, tokenId = '', secret = ''] = token.split('.')
  const request = 'a request that is not looked at before its proof'
  const right = createHmac('sha256', secret).update(`enrol\n${request}`).digest('base64')
  const other = (character: string | undefined): string => (character === 'A' ? 'B' : 'A')
  const proofs = [
    other(right[0]) + right.slice(1),
    // The last but the padding.
    right.slice(0, -2) + other(right.at(-2)) + right.slice(-1),
  ]
  const enrol = async (given: Parameters<typeof authority.enrol>[0]): Promise<boolean> => {
    try {
      await authority.enrol(given)
      return true
    } catch {
      return false
    }
  }
  const times: [number[], number[]] = [[], []]
  for (let round = 0; round < rounds; round++) {
    const kind = Math.random() < 0.5 ? 0 : 1
    const proof = proofs[kind] as string
    const started = performance.now()
    const isTaken = await enrol({ tokenId, request, proof })
    const microseconds = (performance.now() - started) * 1_000
    if (isTaken) throw new Error('a wrong proof was taken')
    // The first ones warm up.
    if (round > rounds / 10) times[kind].push(microseconds)
  }
  const [first, last] = times.map(momentsOf) as [Moments, Moments]
  const t =
    (first.mean - last.mean) / Math.sqrt(first.variance / first.count + last.variance / last.count)
  console.log(
    `refusing a bootstrap token's proof: ${first.mean.toFixed(2)} µs if its first character is wrong, ` +
      `${last.mean.toFixed(2)} µs if its last is; t = ${t.toFixed(2)}, ` +
      (Math.abs(t) < threshold ? 'no difference is seen' : `A DIFFERENCE (above ${threshold})`),
  )
}

interface Moments {
  readonly count: number
  readonly mean: number
  readonly variance: number
}

/** Without the slowest twentieth, which are pauses of the machine. */
function momentsOf(values: readonly number[]): Moments {
  const kept = values.toSorted((a, b) => a - b).slice(0, Math.floor(values.length * 0.95))
  const mean = kept.reduce((sum, value) => sum + value, 0) / kept.length
  const variance =
    kept.reduce((sum, value) => sum + (value - mean) ** 2, 0) / Math.max(1, kept.length - 1)
  return { count: kept.length, mean, variance }
}
