/** What the tour shows, and what of it did not hold. */
export interface Report {
  title(text: string): void
  say(text: string): void
  check(holds: boolean, what: string): void
  readonly failed: readonly string[]
}

export function createReport(): Report {
  const failed: string[] = []
  return {
    title: (text) => console.log(`\n${text}`),
    say: (text) => console.log(`  ${text}`),
    check(holds, what) {
      if (!holds) failed.push(what)
    },
    failed,
  }
}
