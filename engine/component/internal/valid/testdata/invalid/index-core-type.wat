;; core type 0 is not there
(component (import "m" (core module (type 0))))
