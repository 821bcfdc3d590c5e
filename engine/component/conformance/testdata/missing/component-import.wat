;; unsupported: components that are imported
;; missing: c
(component (import "c" (component)))
