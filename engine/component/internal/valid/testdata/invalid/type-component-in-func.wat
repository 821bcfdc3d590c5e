;; type 0 is not of a function
(component (type $u u8) (import "f" (func (type $u))))
