import { execFileSync } from 'node:child_process'
import { chmodSync, chownSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expectCode } from '@micro/conformance/kit'
import { afterAll, describe, expect, test } from 'vitest'
import { sqlOf } from './sql.ts'
import { binaries, bytesOf, newNamespace, open, start } from './support.ts'

/** A disk of 8 MiB, where this process may make one. */
const disk = binaries === undefined ? undefined : mountSmall()
afterAll(() => {
  if (disk === undefined) return
  execFileSync('umount', ['--lazy', disk])
  rmSync(disk, { recursive: true })
})

describe.skipIf(disk === undefined)('a full disk (needs the right to mount)', () => {
  test('is told as exhausted; records stay readable, and with room there is writing again', async () => {
    const postgres = await start()
    const sql = sqlOf(postgres)
    await sql(`CREATE TABLESPACE small LOCATION '${disk}'`)
    await sql('ALTER DATABASE postgres SET default_tablespace = small')
    const store = open({ connectionString: postgres.url, namespace: newNamespace() })
    // Compressing must not make it small.
    const value = crypto.getRandomValues(new Uint8Array(60_000))
    await store.write('first', bytesOf('1'))
    const fill = async (): Promise<never> => {
      for (let n = 0; ; n++) await store.write(`k${n}`, value)
    }
    const error = await expectCode(fill(), 'resource_exhausted')
    expect(error.detail).toContain('disk')
    expect(error.processed).toBe('no')
    expect((await store.read('k0'))?.value.length).toBe(value.length)
    expect((await store.read('first'))?.value.length).toBe(1)
    await expectCode(store.commit([{ type: 'write', key: 'big', value }]), 'resource_exhausted')
    const keys = await Array.fromAsync(store.list({ keysOnly: true }))
    expect(keys.length).toBeGreaterThan(20)
    execFileSync('mount', ['-o', 'remount,size=16m', disk ?? ''])
    await store.write('again', value)
  })
})

function mountSmall(): string | undefined {
  if (process.getuid?.() !== 0) return undefined
  const path = mkdtempSync(join(tmpdir(), 'micro-small-'))
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', path], { stdio: 'ignore' })
  } catch {
    rmSync(path, { recursive: true })
    return undefined
  }
  const id = (flag: string): number =>
    Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }))
  chownSync(path, id('-u'), id('-g'))
  chmodSync(path, 0o700)
  return path
}
