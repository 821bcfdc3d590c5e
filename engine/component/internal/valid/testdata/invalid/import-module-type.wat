;; core type 0 is not of a module
(component (core type $f (func)) (import "m" (core module (type $f))))
