;; type 0 is not there
(component (import "f" (func (type 0))))
