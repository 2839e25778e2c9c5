#pragma once
struct timespec; /* named by clock.h; the core is told the time */
