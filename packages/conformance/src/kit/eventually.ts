/**
 * Waits until `look` passes, which is tried every few milliseconds: for what a contract promises within
 * a time and tells nobody of. Rejects with the last failure.
 */
export async function eventually(look: () => Promise<void> | void, within = 3_000): Promise<void> {
  const end = performance.now() + within
  for (;;) {
    try {
      await look()
      return
    } catch (error) {
      if (performance.now() > end) throw error
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }
}
