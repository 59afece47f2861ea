/** A process that makes one call and has to end by itself. */
import { Context, rootContext } from '@micro/core/context'
import { Metadata } from '@micro/core/metadata'
import { grpcTransport } from '@micro/plugin-transport-grpc'

const [url = ''] = process.argv.slice(2)
const connection = grpcTransport().dial({ transport: 'grpc', url }, { node: 'node' })
const head = {
  service: 'conformance',
  method: 'say',
  kind: 'unary',
  idempotency: 'unknown',
  contentType: 'application/json',
  metadata: new Metadata(),
} as const
const { body } = await connection.unary(head, Buffer.from('hello'), new Context(rootContext))
console.log(`answered: ${Buffer.from(body).toString()}`)
