/**
 * Registers nodes, says `ready`, and then replaces one in a hundred each second until it is ended:
 * `node registry-churn.ts <address of etcd> <nodes>`.
 */
import { etcdRegistry } from '@micro/plugin-registry-etcd'
import { churn, fill } from './registry-nodes.ts'

const [hosts = '', nodes = '0'] = process.argv.slice(2)
const registry = etcdRegistry({ hosts, timeout: 30_000 })
await fill(registry, Number(nodes))
process.stdout.write('ready\n')
await churn(registry, Number(nodes))
