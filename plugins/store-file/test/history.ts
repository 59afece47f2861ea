/** What writers of the crash tests write: values that say whose they are, and so cannot be wrong unseen. */
export const keys = 200

export function keyOf(writer: string, round: number): string {
  return `${writer}/${round % keys}`
}

/** Of up to some kilobytes, so that values lie on pages of their own too. */
export function payloadOf(key: string, round: number): Uint8Array {
  const text = `${key} ${round} `
  return new TextEncoder().encode(text.padEnd(32 + ((round * 7_919) % 5_000), text))
}

/** Which round wrote the value, if it is whole. */
export function roundOf(key: string, value: Uint8Array): number | undefined {
  const [name, text = ''] = new TextDecoder().decode(value.subarray(0, 80)).split(' ')
  const round = Number(text)
  if (name !== key || !Number.isInteger(round)) return undefined
  return Buffer.from(payloadOf(key, round)).equals(value) ? round : undefined
}
