/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/* The stages are written once; the object that includes them says which hook they run on. */
#pragma once

#ifdef HOOK_TC
#include "hook_tc.h"
#else
#include "hook_xdp.h"
#endif
