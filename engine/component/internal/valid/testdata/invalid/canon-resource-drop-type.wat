;; type 0 is not of a resource
(component (type $u u8) (core func (canon resource.drop $u)))
