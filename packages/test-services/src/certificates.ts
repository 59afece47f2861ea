import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TlsMaterial, TlsSource } from '@micro/core/identity'

interface Certificate {
  readonly cert: string
  readonly key: string
}

export interface Authority extends Certificate {
  /** A certificate for 127.0.0.1 and these names besides, with this common name. */
  issue(name: string, ...names: readonly string[]): Certificate
}

/** A certificate authority by openssl, for one test. */
export function makeAuthority(): Authority {
  const directory = mkdtempSync(join(tmpdir(), 'micro-ca-'))
  const path = (name: string): string => join(directory, name)
  const openssl = (...parameters: string[]): void => {
    execFileSync('openssl', parameters, { cwd: directory, stdio: 'ignore' })
  }
  const read = (name: string): string => readFileSync(path(name), 'utf8')
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  openssl(
    'req',
    '-x509',
    ...key,
    '-keyout',
    'ca.key',
    '-out',
    'ca.crt',
    '-days',
    '1',
    '-subj',
    '/CN=test authority',
  )
  const authority = { cert: read('ca.crt'), key: read('ca.key') }
  const issue = (name: string, ...names: readonly string[]): Certificate => {
    writeFileSync(path('san'), `subjectAltName=${['IP:127.0.0.1', ...names].join(',')}`)
    openssl('req', ...key, '-keyout', 'leaf.key', '-out', 'leaf.csr', '-subj', `/CN=${name}`)
    openssl(
      'x509',
      '-req',
      '-in',
      'leaf.csr',
      '-CA',
      'ca.crt',
      '-CAkey',
      'ca.key',
      '-CAcreateserial',
      '-out',
      'leaf.crt',
      '-days',
      '1',
      '-extfile',
      'san',
    )
    return { cert: read('leaf.crt'), key: read('leaf.key') }
  }
  process.once('exit', () => rmSync(directory, { recursive: true, force: true }))
  return { ...authority, issue }
}

/** Material that a test can replace. */
export function rotatingTls(first: TlsMaterial): TlsSource & { rotate(next: TlsMaterial): void } {
  let material = first
  const waiting: ((next: TlsMaterial) => void)[] = []
  return {
    current: () => material,
    async *watch() {
      for (;;) yield await new Promise<TlsMaterial>((resolve) => waiting.push(resolve))
    },
    rotate(next) {
      material = next
      for (const resolve of waiting.splice(0)) resolve(next)
    },
  }
}
