;; unsupported: functions that no interface has
;; missing: log
(component (import "log" (func)))
