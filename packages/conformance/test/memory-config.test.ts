import { configConformance } from '@micro/conformance/config'
import { fallbackSource } from '@micro/core/config'
import { objectPlaces } from './support/object-places.ts'

const places = objectPlaces()

configConformance({ name: 'object', create: places.create, write: places.write })

configConformance({
  name: 'object, behind a fallback',
  create: (scope) => fallbackSource({ sources: [places.create(scope)] }),
  write: places.write,
})
