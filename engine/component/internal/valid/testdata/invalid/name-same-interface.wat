;; "a:b/c": the name is there already
(component (import "a:b/C" (instance)) (import "a:b/c" (instance)))
