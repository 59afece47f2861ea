import { identityConformance } from '@micro/conformance/identity'
import { memoryIdentities } from './support/memory-identities.ts'

identityConformance(memoryIdentities(150, false))
identityConformance(memoryIdentities(150, true))
