#!/bin/sh
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the mailroot authors
#
# Direct delivery, in network namespaces with real servers: see tests/net.

exec "$(dirname "$0")/../net/direct.sh"
