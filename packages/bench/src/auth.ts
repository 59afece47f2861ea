import type { Auth } from '@micro/core/auth'
import { generateJwtKey, jwtAuth } from '@micro/plugin-auth-jwt'
import { spreadOf } from './measure.ts'

const subject = { id: 'ada', type: 'user', scopes: ['orders:read', 'staff'], metadata: {} }

/** What verifying a token costs: one that has been seen, and one that has not. */
export async function benchAuth(): Promise<void> {
  for (const alg of ['EdDSA', 'ES256', 'RS256'] as const) {
    const keys = [await generateJwtKey({ alg })]
    const options = { issuer: 'https://auth.example', keys }
    const cached = jwtAuth(options)
    const cold = jwtAuth({ ...options, cache: 0 })
    const token = (await cached.issue?.(subject))?.accessToken ?? ''
    for (let warm = 0; warm < 3; warm++) {
      await time(cached, token, 20_000)
      await time(cold, token, 500)
    }
    const rounds: { cached: number; cold: number }[] = []
    for (let round = 0; round < 9; round++) {
      rounds.push({ cached: await time(cached, token, 20_000), cold: await time(cold, token, 500) })
    }
    const [seen, unseen] = [
      spreadOf(rounds.map((one) => one.cached)),
      spreadOf(rounds.map((one) => one.cold)),
    ]
    console.log(
      `jwt, ${alg}: ${seen.median.toFixed(2)} µs (${seen.low.toFixed(2)}–${seen.high.toFixed(2)}) verified before, ` +
        `${unseen.median.toFixed(0)} µs (${unseen.low.toFixed(0)}–${unseen.high.toFixed(0)}) for the first time`,
    )
    await cached.close()
    await cold.close()
  }
}

/** Microseconds of one verification. */
async function time(auth: Auth, token: string, calls: number): Promise<number> {
  const started = performance.now()
  for (let at = 0; at < calls; at++) await auth.verify(token)
  return ((performance.now() - started) * 1_000) / calls
}
