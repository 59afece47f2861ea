import { execFileSync } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'

/** Instantiations that a definition of 500 methods, its handlers and its client may cost. */
const budget = 160_000

const directory = join(import.meta.dirname, '.type-cost')
afterAll(() => rmSync(directory, { recursive: true, force: true }))

test('a definition of 500 methods stays within the budget of type instantiations', () => {
  const names = Array.from({ length: 500 }, (_, at) => `method${at}`)
  const source = `
import { createService, defineService, unary } from '@micro/core'
const Big = defineService('big', {
${names.map((name, at) => `  ${name}: unary<{ a${at}: number }, { b${at}: string }>(),`).join('\n')}
})
const service = createService({ name: 'big' })
service.handle(Big, {
${names.map((name, at) => `  ${name}: ({ a${at} }) => ({ b${at}: String(a${at}) }),`).join('\n')}
})
const client = service.client(Big)
${names.map((name, at) => `void client.${name}({ a${at}: 1 }).then(({ b${at} }) => b${at}.length)`).join('\n')}
`
  mkdirSync(directory, { recursive: true })
  writeFileSync(join(directory, 'big.ts'), source)
  writeFileSync(
    join(directory, 'tsconfig.json'),
    JSON.stringify({
      extends: '../../../workspace/tsconfig.tests.json',
      include: ['big.ts'],
      compilerOptions: { rootDir: '../../../..' },
    }),
  )
  const output = execFileSync('tsc', ['-p', directory, '--extendedDiagnostics'], {
    encoding: 'utf8',
  })
  const instantiations = Number(/Instantiations:\s+(\d+)/.exec(output)?.[1])
  console.log(`500 methods: ${instantiations} type instantiations, budget ${budget}`)
  expect(instantiations).toBeGreaterThan(500)
  expect(instantiations).toBeLessThan(budget)
})
