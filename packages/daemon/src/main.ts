#!/usr/bin/env bun
import { main } from "./cli/Main.ts"

main()
