import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { spreadOf } from './measure.ts'

/** The built package, as users import it: in a process of its own, timed inside. */
export function benchImport(): void {
  const entry = join(import.meta.dirname, '../../core/lib/index.js')
  if (!existsSync(entry)) {
    console.log("import '@micro/core': not measured, build first with pnpm build")
    return
  }
  const script = `const t = performance.now(); await import(${JSON.stringify(pathToFileURL(entry).href)}); console.log(performance.now() - t)`
  const times = Array.from({ length: 11 }, () =>
    Number(execFileSync(process.execPath, ['--input-type=module', '-e', script]).toString()),
  )
  const { median, low, high } = spreadOf(times)
  console.log(
    `import '@micro/core', built: ${median.toFixed(1)} ms (${low.toFixed(1)}–${high.toFixed(1)})  ${median < 30 ? 'bar 30 ms met' : 'BAR 30 ms MISSED'}`,
  )
}
