/** Keeps the process alive while only unref'd timers are pending. */
export async function awake<T>(work: () => Promise<T>): Promise<T> {
  const timer = setInterval(() => undefined, 10_000)
  try {
    return await work()
  } finally {
    clearInterval(timer)
  }
}
