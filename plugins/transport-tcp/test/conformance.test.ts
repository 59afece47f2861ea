import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { transportConformance } from '@micro/conformance/transport'
import type { TlsSource } from '@micro/core/identity'
import { tcpTransport } from '@micro/plugin-transport-tcp'
import { makeAuthority } from '@micro/test-services'
import { afterAll } from 'vitest'

const maxMessageSize = 2 << 20

const authority = makeAuthority()
const material = { ...authority.issue('conformance'), ca: authority.cert }
/** Both sides show the same certificate, which does not change. */
const tls: TlsSource = { current: () => material, async *watch() {} }

transportConformance({
  name: 'tcp',
  maxMessageSize,
  create: () => tcpTransport({ maxMessageSize }),
})

transportConformance({
  name: 'tcp over TLS, mutual',
  maxMessageSize,
  create: () => tcpTransport({ maxMessageSize, tls }),
})

const directory = mkdtempSync(join(tmpdir(), 'micro-tcp-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))
let sockets = 0

transportConformance({
  name: 'a Unix socket',
  maxMessageSize,
  create() {
    sockets += 1
    return tcpTransport({ maxMessageSize, path: join(directory, String(sockets)) })
  },
})
