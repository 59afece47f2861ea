import { securityTests } from '@micro/kafka-suite'
import { subject } from './subject.ts'

await securityTests(subject)
