import { configConformance } from '@micro/conformance/config'
import { httpSource } from '@micro/plugin-config-http'
import { afterAll } from 'vitest'
import { serveDocuments } from './support.ts'

const documents = await serveDocuments()
afterAll(() => documents.close())

configConformance({
  name: 'http',
  create(scope) {
    // A scope that nobody has written to says nothing.
    if (!documents.texts.has(`/${scope}`)) documents.texts.set(`/${scope}`, '{}')
    return httpSource({ url: `${documents.url}/${scope}`, interval: 20 })
  },
  write: (scope, values) => {
    documents.texts.set(`/${scope}`, JSON.stringify(values))
  },
})
