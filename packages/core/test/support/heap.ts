import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** Bytes that are reachable now: what is garbage has been collected first. */
export function heapUsed(): number {
  // Twice, since what finalizers hold is free only the second time.
  collect()
  collect()
  return process.memoryUsage().heapUsed
}
