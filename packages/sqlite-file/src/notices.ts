/** Tells connections of one process at once of what one of them has changed, by the path of the file. */
const listeners = new Map<string, Set<() => void>>()

export function listen(file: string, listener: () => void): () => void {
  const there = listeners.get(file) ?? new Set()
  listeners.set(file, there)
  there.add(listener)
  return () => {
    there.delete(listener)
    if (there.size === 0 && listeners.get(file) === there) listeners.delete(file)
  }
}

export function tell(file: string): void {
  for (const listener of listeners.get(file) ?? []) listener()
}
