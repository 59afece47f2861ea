import type { Node } from '@micro/core/registry'

export function makeNode(id: string, service = 'greeter'): Node {
  return {
    schema: 1,
    id,
    service,
    version: '1.0.0',
    weight: 1,
    labels: {},
    endpoints: [
      { transport: 'http', url: 'http://127.0.0.1:1', contentTypes: ['application/json'] },
    ],
  }
}
