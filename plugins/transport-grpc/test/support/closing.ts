import { afterEach } from 'vitest'

const opened: (() => unknown)[] = []
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close()
})

/** Run after the test, whatever becomes of it; the last first. */
export function afterwards(close: () => unknown): void {
  opened.push(close)
}
