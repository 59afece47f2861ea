import { authConformance } from '@micro/conformance/auth'
import { memoryAuths } from './support/memory-auths.ts'

authConformance({ name: 'memory', create: memoryAuths() })
