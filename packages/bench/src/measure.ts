/** One side of a comparison: `run` makes that many calls and returns when all have ended. */
interface Side {
  readonly name: string
  readonly run: (calls: number) => Promise<void>
  /** CPU microseconds spent so far by all processes of this side, where it can be told. */
  readonly cpu?: () => Promise<number>
}

export interface Comparison {
  readonly what: string
  readonly ours: Side
  readonly peer: Side
  /** Least ratio of our rate to the peer's, from the design. */
  readonly bar?: number
  /** Calls per round of each side. */
  readonly calls: number
  readonly rounds?: number
}

/** Milliseconds, at least; code that runs a million times a second settles after millions of runs. */
const warmUp = 8_000

interface Spread {
  readonly median: number
  readonly low: number
  readonly high: number
}

/**
 * Runs both sides in turn, round by round, so that a machine that slows down slows both. The ratio is
 * the median of the rounds' ratios.
 */
export async function compare(comparison: Comparison): Promise<void> {
  const { ours, peer, calls, bar } = comparison
  const rounds = comparison.rounds ?? 9
  // The compilers and pools of both sides settle before anything counts.
  const warmUntil = performance.now() + warmUp
  for (let round = 0; round < 3 || performance.now() < warmUntil; round++) {
    await ours.run(calls)
    await peer.run(calls)
  }
  const results: { ours: Round; peer: Round }[] = []
  for (let round = 0; round < rounds; round++) {
    // Who comes first alternates too.
    const first = round % 2 === 0
    const a = await timed(first ? ours : peer, calls)
    const b = await timed(first ? peer : ours, calls)
    results.push(first ? { ours: a, peer: b } : { ours: b, peer: a })
  }
  const ratio = spreadOf(results.map((one) => one.ours.rate / one.peer.rate))
  const cpu = spreadOf(results.map((one) => one.ours.cpu / one.peer.cpu))
  const verdict =
    bar === undefined ? '' : ratio.median >= bar ? `  bar ${bar} met` : `  BAR ${bar} MISSED`
  const cost = Number.isFinite(cpu.median) ? `; CPU per call ${format(cpu)} ×` : ''
  console.log(
    `${comparison.what}\n  ${ours.name} ${rate(results.map((one) => one.ours.rate))}, ${peer.name} ${rate(results.map((one) => one.peer.rate))}` +
      `\n  ratio ${format(ratio)}${verdict}${cost}`,
  )
}

interface Round {
  /** Calls per second. */
  readonly rate: number
  /** CPU microseconds per call. */
  readonly cpu: number
}

async function timed(side: Side, calls: number): Promise<Round> {
  globalThis.gc?.()
  const cpuBefore = await side.cpu?.()
  const started = performance.now()
  await side.run(calls)
  const seconds = (performance.now() - started) / 1_000
  const cpuAfter = await side.cpu?.()
  const cpu =
    cpuBefore === undefined || cpuAfter === undefined ? Number.NaN : (cpuAfter - cpuBefore) / calls
  return { rate: calls / seconds, cpu }
}

export function spreadOf(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b)
  return {
    median: sorted[Math.floor(sorted.length / 2)] as number,
    low: sorted[0] as number,
    high: sorted.at(-1) as number,
  }
}

function format({ median, low, high }: Spread): string {
  return `${median.toFixed(2)} (${low.toFixed(2)}–${high.toFixed(2)})`
}

function rate(values: readonly number[]): string {
  const { median } = spreadOf(values)
  return `${Math.round(median).toLocaleString('en')}/s`
}

/** `width` loops at once, `calls` calls in all. */
export async function inFlight(
  calls: number,
  width: number,
  call: () => Promise<unknown>,
): Promise<void> {
  let left = calls
  const loop = async (): Promise<void> => {
    while (left > 0) {
      left -= 1
      await call()
    }
  }
  await Promise.all(Array.from({ length: width }, loop))
}
