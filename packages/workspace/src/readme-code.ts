import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Workspace } from './workspace.ts'

const fence = /^```ts( ignore)?\n([\s\S]*?)^```$/gm

/**
 * Writes the TypeScript of every README into a directory that the compiler can take as a whole, and
 * removes it after `compile`. Fences marked `ts ignore` are left out.
 */
export function withReadmeCode(workspace: Workspace, compile: (project: string) => void): void {
  const directory = join(workspace.root, 'packages/workspace/.readme')
  const readmes = ['README.md', ...workspace.members.map(({ path }) => `${path}/README.md`)]
  mkdirSync(directory, { recursive: true })
  try {
    for (const readme of readmes) {
      for (const [at, code] of codeOf(workspace.read(readme) ?? '').entries()) {
        const name = `${readme.replace(/[^A-Za-z0-9]+/g, '-')}-${at + 1}.ts`
        writeFileSync(join(directory, name), code)
      }
    }
    const project = {
      extends: '../tsconfig.tests.json',
      compilerOptions: { rootDir: '../../..', noUnusedLocals: false },
      include: ['*.ts'],
    }
    writeFileSync(join(directory, 'tsconfig.json'), JSON.stringify(project))
    compile(directory)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

export function codeOf(markdown: string): string[] {
  return [...markdown.matchAll(fence)].flatMap(([, ignored, code]) =>
    ignored === undefined ? [code as string] : [],
  )
}
