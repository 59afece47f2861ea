import { registryConformance } from '@micro/conformance/registry'
import { sharedRegistries } from './support/shared-registries.ts'

registryConformance({ name: 'memory', create: sharedRegistries() })
